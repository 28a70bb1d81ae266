"""Everything that `import hilens` offers (HiLens framework 1.1.0)."""

from __future__ import annotations

from npukit_cli.hilens_compat.absent import AudioCapture, EIServices, HardSample
from npukit_cli.hilens_compat.codes import CreateError
from npukit_cli.hilens_compat.display import H264_FILE, HDMI, RTMP, Display
from npukit_cli.hilens_compat.lifecycle import init, terminate
from npukit_cli.hilens_compat.log import (
    DEBUG,
    ERROR,
    FATAL,
    INFO,
    TRACE,
    WARNING,
    debug,
    error,
    fatal,
    info,
    set_log_level,
    trace,
    warning,
)
from npukit_cli.hilens_compat.media import (
    BGR2YUV_NV12,
    BGR2YUV_NV21,
    RGB2YUV_NV12,
    RGB2YUV_NV21,
    Preprocessor,
    cvt_color,
)
from npukit_cli.hilens_compat.model import Model
from npukit_cli.hilens_compat.obs import (
    download_from_obs,
    upload_bufer,
    upload_buffer_to_obs,
    upload_file,
    upload_file_to_obs,
)
from npukit_cli.hilens_compat.platform import (
    get_model_dir,
    get_skill_config,
    get_workspace_path,
    md5_of_file,
    send_msg,
)
from npukit_cli.hilens_compat.video import VideoCapture

__all__ = [
    "BGR2YUV_NV12",
    "BGR2YUV_NV21",
    "DEBUG",
    "ERROR",
    "FATAL",
    "H264_FILE",
    "HDMI",
    "INFO",
    "RGB2YUV_NV12",
    "RGB2YUV_NV21",
    "RTMP",
    "TRACE",
    "WARNING",
    "AudioCapture",
    "CreateError",
    "Display",
    "EIServices",
    "HardSample",
    "Model",
    "Preprocessor",
    "VideoCapture",
    "cvt_color",
    "debug",
    "download_from_obs",
    "error",
    "fatal",
    "get_model_dir",
    "get_skill_config",
    "get_workspace_path",
    "info",
    "init",
    "md5_of_file",
    "send_msg",
    "set_log_level",
    "terminate",
    "trace",
    "upload_bufer",
    "upload_buffer_to_obs",
    "upload_file",
    "upload_file_to_obs",
    "warning",
]
