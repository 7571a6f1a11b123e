"""ONNX models: read as a skeleton, run as deployed, traced as an instrumented copy."""
