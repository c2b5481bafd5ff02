filter\.tcl:2: -filter 'NAME =~~ x' is not understood at '~ x'
