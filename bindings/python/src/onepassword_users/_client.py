from pathlib import Path
def component_path() -> Path:
    return Path(__file__).with_name("component.wasm")
