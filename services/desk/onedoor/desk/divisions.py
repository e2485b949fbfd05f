"""The district's streets and towns, for forms and labels (GB/T 10114; the former district 500112)."""

from collections.abc import Mapping

DISTRICT = "500112"

DIVISIONS: Mapping[str, str] = {
    f"{DISTRICT}{code}": name
    for code, name in (
        ("002", "双龙湖街道"), ("004", "回兴街道"), ("007", "鸳鸯街道"), ("008", "翠云街道"),
        ("009", "人和街道"), ("010", "天宫殿街道"), ("011", "龙溪街道"), ("012", "龙山街道"),
        ("013", "龙塔街道"), ("014", "大竹林街道"), ("015", "悦来街道"), ("016", "两路街道"),
        ("017", "双凤桥街道"), ("018", "王家街道"), ("019", "礼嘉街道"), ("020", "宝圣湖街道"),
        ("021", "金山街道"), ("022", "康美街道"), ("023", "仙桃街道"), ("129", "玉峰山镇"),
        ("131", "龙兴镇"), ("133", "统景镇"), ("135", "大湾镇"), ("138", "兴隆镇"), ("139", "木耳镇"),
        ("140", "茨竹镇"), ("141", "古路镇"), ("142", "石船镇"), ("143", "大盛镇"), ("144", "洛碛镇"),
    )
}  # fmt: skip


def division_name(code: str | None) -> str:
    """The name of a division; an unknown code stands for itself, nothing for nothing."""
    return "" if not code else DIVISIONS.get(code[:9], code)
