"""Devices that are not there: recorded and invented input, published over MQTT as devices would."""
