"""ONNX files as exporters, optimisers, converters and quantisers leave them, each leaky and mended."""
