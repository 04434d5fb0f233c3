"""What every stage stands on: params, files, errors, resumable work, and how a stage is run."""
