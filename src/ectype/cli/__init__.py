"""The command line: `ectype noun verb`, each command one file that calls one public function."""
