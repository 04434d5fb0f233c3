"""Files beside a video that tell players where its intro is: one small module a format."""
