"""What every Praxiscope service is built on. Import the module you need; this file exports nothing."""
