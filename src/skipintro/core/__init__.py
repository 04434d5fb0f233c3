"""What every stage uses: params, files, errors, child processes, and how a stage is run."""
