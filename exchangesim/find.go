package exchangesim
func (c *call) findFolder() (*node, error) { return nil, nil }
func (c *call) findItem() (*node, error) { return nil, nil }
