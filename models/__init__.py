"""The models that Praxiscope serves: where their weights come from, how they are converted, what they can do."""
