"""A package, so that what its tests share (fixtures with the scope `package`) ends with the last of them."""
