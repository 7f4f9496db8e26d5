package exchangesim

// peripheralOperations are those around the calendar: directory, time zones, ids, free/busy.
func peripheralOperations() map[string]operation {
	return map[string]operation{
		"ConvertId":            (*call).convertID,
		"ResolveNames":         (*call).resolveNames,
		"GetServerTimeZones":   (*call).getServerTimeZones,
		"ExpandDL":             (*call).expandDL,
		"GetUserAvailability":  (*call).getUserAvailability,
		"GetUserConfiguration": (*call).getUserConfiguration,
	}
}

// getUserConfiguration answers that there is no such object, as Exchange does for a mailbox that no Outlook on the web has
// been used with.
func (c *call) getUserConfiguration() (*node, error) {
	if c.req.child("UserConfigurationName").attr("Name") == "" {
		return nil, fail("ErrorSchemaValidation", "The required attribute 'Name' is missing.")
	}
	return response("GetUserConfiguration", failure("GetUserConfiguration", fail("ErrorItemNotFound", "The specified object was not found in the store."))), nil
}
