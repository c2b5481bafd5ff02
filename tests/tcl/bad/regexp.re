regexp\.tcl:2: '\(axi' is no regular expression: .*
