"""What every stage stands on: params, files, errors, child processes, and how a stage is run."""
