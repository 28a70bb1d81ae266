"""ONNX to Caffe: one converter per operator family, a text prototxt and a stripped caffemodel."""
