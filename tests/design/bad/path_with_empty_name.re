:5: cell 'a//b' has an empty name in its path
:6: cell '///' has an empty name in its path
