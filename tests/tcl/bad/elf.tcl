ELF
ELF
ELF
