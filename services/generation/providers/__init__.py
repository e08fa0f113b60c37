"""One file a provider of models; each implements `services.generation.port.Provider`."""
