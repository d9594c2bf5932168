"""Domain of biomechanics: what landmarks over time say about a body. Pure: arrays in, arrays and text out."""
