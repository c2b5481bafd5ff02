# nothing
puts hello
