:2: has a document type declaration \(<!DOCTYPE lolz>\): refused
