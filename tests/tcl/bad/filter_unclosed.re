filter_unclosed\.tcl:2: -filter '\(NAME == x' is not understood at 'its end'
