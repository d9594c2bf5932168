"""What is seen in a picture, as pure values and functions: no network, no files, no clock."""
