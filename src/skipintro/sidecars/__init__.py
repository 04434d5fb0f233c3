"""Files beside a video from which players know its intro: one small module a format."""
