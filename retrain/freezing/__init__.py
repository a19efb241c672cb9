"""From a module in any format to one frozen inference graph. Needs TensorFlow, or ONNX."""
