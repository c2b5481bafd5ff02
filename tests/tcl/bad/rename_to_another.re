rename_to_another\.tcl:3: '/y' can't be renamed: there is a cell '/x' already
