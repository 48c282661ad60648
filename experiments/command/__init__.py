"""What every command shares: hydra's side, options, messages, what a person sees."""
