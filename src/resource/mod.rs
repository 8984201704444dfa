//! Turns names, files, folders, standard input, URLs and selectors into one stream of targets.
