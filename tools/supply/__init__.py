"""What images are made of, said for each in a bill of materials, and signed with a key of the user's."""
