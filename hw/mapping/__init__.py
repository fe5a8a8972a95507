"""From a network to an accelerator: fold, place, schedule, count; pure Python."""
