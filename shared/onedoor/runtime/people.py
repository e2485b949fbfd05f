"""Invented people of every role, for the desk's sign-in in development. None of them exists."""

from dataclasses import dataclass

from onedoor.contracts.core import Actor


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff: id, name, what they do in both languages, role, department and division."""

    id: str
    name: str
    title_zh: str
    title: str
    role: str
    department: str | None = None
    division: str | None = None

    @property
    def actor(self) -> Actor:
        """As whom they act."""
        return Actor(person=self.id, role=self.role, department=self.department, division=self.division)


YUELAI = "500112015"
SHUANGFENGQIAO = "500112017"
BAOSHENGHU = "500112020"

PEOPLE: tuple[Person, ...] = (
    Person("hotline-1", "田小禾", "热线话务员", "hotline operator", "hotline", "hotline-12345"),
    Person("window-1", "陈映秋", "悦来街道窗口", "window, Yuelai", "window", "township", YUELAI),
    Person("window-2", "罗清源", "双凤桥街道窗口", "window, Shuangfengqiao", "window", "township",
           SHUANGFENGQIAO),
    Person("village-1", "唐有田", "村（社区）工作者", "village worker", "village", "village", YUELAI),
    Person("caseworker-1", "周念真", "救助经办", "caseworker", "caseworker", "township", YUELAI),
    Person("reviewer-1", "沈立诚", "救助审核", "reviewer", "reviewer", "civil-affairs", YUELAI),
    Person("district-1", "顾明远", "区民政局救助科", "district civil affairs", "district", "civil-affairs"),
    Person("district-2", "陆秉钧", "区民政局救助科", "district civil affairs", "district", "civil-affairs"),
    Person("finance-1", "钱守信", "资金发放", "finance", "finance", "civil-affairs"),
    Person("police-1", "高卫平", "公安民警", "police officer", "department", "public-security"),
    Person("police-head-1", "石长安", "公安值班负责人", "head of police duty", "unit-head",
           "public-security"),
    Person("education-1", "书雅文", "教育部门", "education department", "department", "education"),
    Person("health-1", "安晓医", "卫生健康部门", "health department", "department", "health"),
    Person("women-1", "柳如意", "妇联", "women's federation", "department", "womens-federation"),
    Person("township-1", "向新民", "宝圣湖街道办", "township office, Baoshenghu", "department", "township",
           BAOSHENGHU),
    Person("child-duty-1", "苏护幼", "未成年人保护中心值班", "minor-protection duty", "child-duty",
           "minor-protection-centre"),
    Person("child-worker-1", "林小满", "儿童督导员", "child worker", "child-worker", "township", YUELAI),
    Person("station-1", "何归程", "救助管理站", "relief station", "station", "relief-station"),
    Person("charity-1", "慕善行", "慈善会", "charity federation", "charity", "charity-federation"),
    Person("social-worker-1", "温知遥", "社工", "social worker", "social-worker", "social-work-station"),
    Person("leader-1", "严正纲", "分管领导", "leader", "leader", "civil-affairs"),
    Person("ops-1", "程序维", "运行维护", "operations", "ops"),
    Person("auditor-1", "申言明", "审计", "auditor", "auditor"),
    Person("admin-1", "管思齐", "系统管理", "administrator", "admin"),
    Person("everything-1", "全可为", "开发人员（全部权限）", "developer, sees all", "everything"),
)  # fmt: skip

BY_ID = {person.id: person for person in PEOPLE}
