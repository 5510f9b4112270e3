# Colour for black-and-white photographs: the command line and the page, without torch.
#   docker build -t pix2color .
#   docker run --rm -v "$PWD:/photos" --user "$(id -u):$(id -g)" pix2color grandma.jpg
#   docker run --rm -p 7860:7860 -e PIX2COLOR_PASSWORD=… pix2color serve --host 0.0.0.0 --user family
FROM python:3.13-slim AS build
COPY . /source
RUN pip install --no-cache-dir --prefix /install "/source[web,formats]"

FROM python:3.13-slim
COPY --from=build /install /usr/local
RUN useradd --create-home pix2color
USER pix2color
WORKDIR /photos
EXPOSE 7860
ENTRYPOINT ["pix2color"]
CMD ["--help"]
