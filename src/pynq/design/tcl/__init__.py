"""Reader of block-design scripts (``.tcl``), as Vivado's ``write_bd_tcl`` exports them."""
