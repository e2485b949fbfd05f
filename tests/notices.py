"""A notice for a year that is not announced yet: invented, for tests of what an import changes."""

NOTICE_2027 = """
year: 2027
sources:
  - {title: 关于2027年部分节假日安排的通知, number: 测试〔2026〕1号, issued: "2026-11-05"}
holidays:
  - {name: 元旦, days_off: "2027-01-01/2027-01-03"}
  - {name: 春节, days_off: "2027-02-05/2027-02-11", make_up: ["2027-02-20"]}
  - {name: 清明节, days_off: "2027-04-03/2027-04-05"}
  - {name: 劳动节, days_off: "2027-05-01/2027-05-02"}
  - {name: 端午节, days_off: "2027-06-09"}
  - {name: 中秋节, days_off: "2027-09-15"}
  - {name: 国庆节, days_off: "2027-10-01/2027-10-07", make_up: ["2027-10-09"]}
"""
