import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from pix2color.config.schema import DataConfig
from pix2color.data.batches import EpochOrder, TrainingPhotos, endless_batches, evaluation_batches
from pix2color.data.sources import (
    PhotoFile,
    collect,
    limited,
    protocol_square,
    repeated,
    split,
    training_square,
)
from pix2color.errors import DataError

WHOLE = {
    "side": 32,
    "min_side": 80,
    "shape": "crop",
    "min_scale": 0.4,
    "flip": True,
    "min_colorfulness": 6.0,
}


def first(photos, config, *, step=0, seed=0, count=3, workers=0):
    order = EpochOrder(len(photos), config.batch_size, seed=seed, first_step=step)
    batches = endless_batches(
        TrainingPhotos(photos, config, seed), order, workers=workers, pin_memory=False
    )
    return [next(batches) for _ in range(count)]


class TestSplit:
    def test_it_is_stable_when_files_come_go_and_move(self, photos, tmp_path):
        everything = collect([photos])
        train, val = split(everything, 0.4)
        assert train
        assert val
        assert sorted(train + val, key=lambda photo: photo.path) == everything
        moved = tmp_path / "other-name.png"
        shutil.copy(val[0].path, moved)
        fewer = [p for p in everything if p not in (train[0], val[0])]
        assert split([*fewer, PhotoFile(moved)], 0.4) == (train[1:], [*val[1:], PhotoFile(moved)])

    def test_a_larger_share_only_adds(self, photos):
        everything = collect([photos])
        small, large = (set(split(everything, share)[1]) for share in (0.2, 0.5))
        assert small < large

    def test_a_larger_limit_only_adds(self, photos):
        everything = collect([photos])
        few, more = (limited(everything, count) for count in (5, 9))
        assert (len(few), len(more)) == (5, 9)
        assert set(few) < set(more) < set(everything)
        assert more == sorted(more, key=lambda photo: photo.path)
        assert limited(everything, None) == limited(everything, 99) == everything

    def test_a_limit_is_no_matter_of_names(self, photos):
        everything = collect([photos])
        assert limited(everything, 6) not in (everything[:6], everything[-6:])

    def test_photos_of_some_folders_are_seen_more_often(self, photos):
        everything = collect([photos])
        (name, *_) = sorted({photo.path.parent.name for photo in everything})
        seen = Counter(repeated(everything, {name: 3}))
        assert {photo: 3 if photo.path.parent.name == name else 1 for photo in everything} == seen
        assert repeated(everything, {}) == everything
        with pytest.raises(DataError, match="nowhere"):
            repeated(everything, {"nowhere": 2})

    def test_shares_are_spread_evenly(self, tmp_path):
        shares = []
        for i in range(400):
            (tmp_path / f"{i}").write_bytes(bytes([i % 256, i // 256]))
            shares.append(PhotoFile(tmp_path / f"{i}").share)
        assert min(shares) >= 0
        assert max(shares) < 1
        assert np.mean(shares) == pytest.approx(0.5, abs=0.06)

    def test_a_folder_named_twice_counts_once(self, photos):
        assert collect([photos, photos / "chelsea"]) == collect([photos])


class TestSquares:
    def test_a_square_depends_on_its_numbers_alone(self, photos):
        path = collect([photos])[0]
        same = [training_square(path, np.random.default_rng(5), **WHOLE) for _ in range(2)]
        other = training_square(path, np.random.default_rng(6), **WHOLE)
        assert np.array_equal(*same)
        assert not np.array_equal(same[0], other)
        assert (same[0].shape, same[0].dtype) == ((3, 32, 32), np.uint8)

    def test_crops_keep_the_aspect_and_squashing_does_not(self, write_photo):
        tall = Image.new("RGB", (100, 400), "red")
        tall.paste("blue", (0, 0, 100, 200))
        path = PhotoFile(write_photo("tall.png", tall))
        random = np.random.default_rng(0)
        crop = training_square(path, random, **{**WHOLE, "min_scale": 1.0})
        squashed = training_square(path, random, **{**WHOLE, "shape": "squash"})
        blue = (squashed[2] > 128).mean()
        assert blue == pytest.approx(0.5, abs=0.05)
        assert (crop[2] > 128).mean() in (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))

    def test_flips_happen_only_if_wanted(self, write_photo):
        ramp = np.zeros((64, 64, 3), np.uint8)
        ramp[..., 0] = np.arange(64) * 4
        path = PhotoFile(write_photo("ramp.png", Image.fromarray(ramp)))
        for flip in (True, False):
            rising = Counter(
                bool(s[0, 0, 0] < s[0, 0, -1])
                for i in range(40)
                for s in [
                    training_square(path, np.random.default_rng(i), **{**WHOLE, "flip": flip})
                ]
            )
            assert (rising[False] > 8) if flip else (rising[False] == 0)

    @pytest.mark.parametrize("kind", ["gray", "near-gray"])
    def test_gray_photos_are_recognised(self, write_photo, kind):
        pixels = np.repeat(data.camera()[::4, ::4, None], 3, axis=2).astype(float)
        if kind == "near-gray":
            pixels += [4, 0, -4]
        pixels = pixels.clip(0, 255).astype(np.uint8)
        path = PhotoFile(write_photo("gray.png", Image.fromarray(pixels)))
        with pytest.raises(DataError, match="gray"):
            training_square(path, np.random.default_rng(0), **WHOLE)

    def test_protocol_square(self, write_photo):
        chelsea = Image.fromarray(data.chelsea())  # 451 x 300
        square = protocol_square(PhotoFile(write_photo("c.png", chelsea)))
        expected = chelsea.resize((385, 256), Image.Resampling.BICUBIC).crop((64, 0, 320, 256))
        assert np.array_equal(square, np.asarray(expected).transpose(2, 0, 1))
        gray = chelsea.convert("L")
        assert protocol_square(PhotoFile(write_photo("g.png", gray))) is None


class TestOrder:
    def test_every_photo_comes_once_an_epoch_in_a_new_order(self):
        order = iter(EpochOrder(20, 4, seed=3))
        epochs = [[next(order) for _ in range(5)] for _ in range(2)]
        drawn = [[photo for batch in e for _, _, photo in batch] for e in epochs]
        assert sorted(drawn[0]) == sorted(drawn[1]) == list(range(20))
        assert drawn[0] != drawn[1]

    def test_what_is_dropped_changes(self):
        order = EpochOrder(10, 4, seed=0)
        batches = iter(order)
        dropped = []
        for _ in range(6):
            seen = {p for _ in range(order.steps_per_epoch) for _, _, p in next(batches)}
            dropped.append(frozenset(range(10)) - seen)
        assert all(len(d) == 2 for d in dropped)
        assert len(set(dropped)) > 3

    @pytest.mark.parametrize("step", [1, 4, 5, 13])
    def test_it_can_begin_anywhere(self, step):
        whole = iter(EpochOrder(20, 4, seed=3))
        skipped = [next(whole) for _ in range(step + 3)][step:]
        late = iter(EpochOrder(20, 4, seed=3, first_step=step))
        assert [next(late) for _ in range(3)] == skipped

    def test_batches_that_are_accumulated_share_the_batch_of_one(self):
        whole = EpochOrder(20, 8, seed=3, first_step=3)
        parts = EpochOrder(20, 2, seed=3, first_step=3, processes=2, accumulate=2)
        other = EpochOrder(20, 2, seed=3, first_step=3, rank=1, processes=2, accumulate=2)
        assert parts.steps_per_epoch == whole.steps_per_epoch == 2
        ours, theirs = iter(parts), iter(other)
        for _, batch in zip(range(5), whole, strict=False):
            taken = [p for _ in range(2) for rank in (ours, theirs) for p in next(rank)]
            assert taken == batch

    def test_processes_share_the_batch_of_one(self):
        alone = iter(EpochOrder(20, 6, seed=1))
        ranks = [iter(EpochOrder(20, 3, seed=1, rank=r, processes=2)) for r in range(2)]
        for _ in range(7):
            assert next(alone) == next(ranks[0]) + next(ranks[1])

    @pytest.mark.parametrize("processes", [1, 2, 4])
    def test_nothing_is_doubled_and_less_than_a_global_batch_left_out(self, processes):
        orders = [
            EpochOrder(43, 3, seed=5, rank=rank, processes=processes) for rank in range(processes)
        ]
        ranks, left_out = [iter(order) for order in orders], []
        for _ in range(4):
            seen = [
                photo
                for _ in range(orders[0].steps_per_epoch)
                for rank in ranks
                for *_, photo in next(rank)
            ]
            assert len(seen) == len(set(seen))
            left_out.append(frozenset(range(43)) - set(seen))
            assert len(left_out[-1]) < 3 * processes
        assert len(set(left_out)) == 4

    def test_fewer_photos_than_a_batch_go_round(self):
        (batch,) = [next(iter(EpochOrder(3, 8, seed=0)))]
        assert len(batch) == 8
        assert {photo for *_, photo in batch} == {0, 1, 2}


class TestBatches:
    def test_workers_change_nothing(self, photos):
        config = DataConfig(crop=32, batch_size=4)
        paths = collect([photos])
        alone, helped = (first(paths, config, count=8, workers=w) for w in (0, 2))
        for a, b in zip(alone, helped, strict=True):
            assert torch.equal(a.pixels, b.pixels)

    def test_beginning_late_changes_nothing(self, photos):
        config = DataConfig(crop=32, batch_size=4)
        paths = collect([photos])
        whole = first(paths, config, count=9)
        late = first(paths, config, step=7, count=2)
        assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(whole[7:], late, strict=True))

    def test_earlier_epochs_can_have_smaller_squares(self, photos):
        config = DataConfig(crop=64, earlier_crops={2: 48, 1: 32}, batch_size=8)
        paths = collect([photos])
        epochs = first(paths, config, count=12)  # three steps each
        assert [b.pixels.shape[-1] for b in epochs] == [32] * 3 + [48] * 3 + [64] * 6
        late = first(paths, config, step=4, count=3, workers=2)
        assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(epochs[4:], late, strict=False))

    def test_useless_photos_are_replaced_and_counted(self, photos, tmp_path):
        for i in range(4):
            Image.fromarray(data.camera()).save(tmp_path / f"gray{i}.png")
            (tmp_path / f"broken{i}.jpg").write_bytes(b"\xff\xd8\xff no picture")
        config = DataConfig(crop=32, batch_size=4)
        paths = collect([photos, tmp_path])
        runs = [first(paths, config, count=16, workers=w) for w in (0, 2)]
        for batches in runs:
            assert all(b.pixels.shape == (4, 3, 32, 32) for b in batches)
            reasons = {path: why for b in batches for path, why in b.left_out.items()}
            assert Counter(reasons.values()) == {"gray": 4, "broken": 4}
            assert all(why in path for path, why in reasons.items())
        for a, b in zip(*runs, strict=True):
            assert torch.equal(a.pixels, b.pixels)

    def test_a_few_photos_among_many_gray_ones_are_found(self, photos, tmp_path):
        for i in range(60):
            Image.fromarray(data.camera()).resize((64, 64)).save(tmp_path / f"{i}.png")
        shutil.copy(collect([photos])[0].path, tmp_path / "colour.png")
        batches = first(collect([tmp_path]), DataConfig(crop=32, batch_size=4))
        assert all(b.pixels.shape == (4, 3, 32, 32) for b in batches)

    def test_what_was_seen_before_changes_nothing(self, tmp_path, write_photo):
        """Photos near the border between gray and colour, met in one order or another."""
        large = Image.fromarray(data.astronaut())
        gray = large.convert("L").convert("RGB")
        for i in range(12):
            faint = Image.blend(gray, large, 0.07 + i / 200)
            write_photo(f"faint/{i}.jpg", faint, quality=90)
        paths = collect([tmp_path / "faint"])
        config = DataConfig(crop=32, earlier_crops={1: 48}, batch_size=1, min_scale=0.2)
        fresh = [
            TrainingPhotos(paths, config, 0)[epoch, i, i].pixels
            for epoch in range(3)
            for i in range(12)
        ]
        warm = TrainingPhotos(paths, config, 0)
        for i in reversed(range(12)):
            warm[9, i, i]
        again = [warm[epoch, i, i].pixels for epoch in range(3) for i in range(12)]
        left_out = set().union(*(warm[10, i, i].left_out for i in range(12)))
        assert 0 < len(left_out) < 12
        assert all(torch.equal(a, b) for a, b in zip(fresh, again, strict=True))

    def test_nothing_but_gray_is_an_error(self, tmp_path):
        Image.fromarray(data.camera()).save(tmp_path / "gray.png")
        with pytest.raises(DataError, match=r"gray\.png"):
            first(collect([tmp_path]), DataConfig(crop=32, batch_size=2))

    def test_evaluation_passes_over_what_is_of_no_use(self, photos, tmp_path):
        Image.fromarray(data.camera()).save(tmp_path / "gray.png")
        (tmp_path / "broken.png").write_bytes(b"no")
        paths = [*collect([tmp_path]), *collect([photos])[:5]]
        batches = list(evaluation_batches(paths, size=64, batch_size=3))
        names = [name for _, batch in batches for name in batch]
        assert names == [photo.path for photo in paths[2:]]
        assert sum(len(pixels) for pixels, _ in batches) == 5
