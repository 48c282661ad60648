"""What every command shares.

`options` flags and one-line ends, `hydra_app` the configuration, `complaints` wrong settings in
its words, `spoken` messages in flags of the command line, `shell` commands to paste; `stage` signs
of life, `quantities` numbers with SI prefixes, `severity` how much a warning weighs, `text_plot`
plots of characters, `shown` and `yaml_text` text of strangers.
"""
