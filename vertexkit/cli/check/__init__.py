"""What `vertexkit check` does beside checking the configuration, one module for each option.

| module | what it is |
|---|---|
| `against` | `--against`: which changes of the blocks break published bots |
| `documents` | reads the description of a deployed version: a catalogue or an OpenAPI document |
| `recorded` | `--recorded`: whether the current code accepts recorded inputs |
| `event_types` | types of events that handlers wait for, read from their source |
| `chaos` | `--chaos`: what a person in the dialog sees when something fails |
| `example_inputs` | inputs with which a block can be run |
| `changes` | lists the changes between two schemas and judges each |
| `inclusion` | decides whether every value of one schema is valid under another |
| `schemas` | JSON Schemas in a normal form |
"""
