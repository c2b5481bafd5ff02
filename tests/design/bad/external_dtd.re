:1: has a document type declaration
