:2: has a document type declaration .*: refused
