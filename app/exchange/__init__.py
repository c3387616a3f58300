"""Config and stock as tables: files of people and ERPs in, the same files out, over HTTP like everybody else."""
