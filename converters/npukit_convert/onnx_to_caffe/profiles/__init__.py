"""What a reader of Caffe files accepts, one file each."""

from npukit.plugins import Plugins
from npukit_convert.onnx_to_caffe.profiles.base import Profile

PROFILES: Plugins[Profile] = Plugins(__name__, __path__, Profile, "Caffe profile")
