"""Decoding: from the bytes of a photo to the pixels that a network sees."""
