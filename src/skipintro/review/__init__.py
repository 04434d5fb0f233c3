"""Labels in doubt, judged by a person on a local page, one by one."""
