//! The command line: one file or folder per verb, with its arguments and its `run`.
