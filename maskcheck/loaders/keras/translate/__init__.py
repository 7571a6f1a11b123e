"""Layers and operators of Keras and TensorFlow in the words that all frameworks share: pure functions, one table each.

``layers`` knows layers, ``keras_operations`` the operations of ``keras.ops``, ``operators`` those of TensorFlow, called
eagerly or standing in a frozen graph. ``operands`` shows an eager call as what these read.
"""
