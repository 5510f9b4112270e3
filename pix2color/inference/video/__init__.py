"""Films: read and written by FFmpeg through PyAV, followed by OpenCV's optical flow."""

from pix2color.extras import require

require("av")
require("cv2")
