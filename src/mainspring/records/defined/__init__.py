"""What every business record gets from its one definition: form, list, history, rights, import and export."""
