"""Keras: model files (.keras, .h5, SavedModel) and live models, with the mask that travels beside their tensors."""
