"""The stylesheet of the report's page: light and dark mode, wide and narrow windows, printing."""

STYLE = """
:root{color-scheme:light dark;--bg:#f4f6f8;--card:#fff;--ink:#17202a;--muted:#586574;
--line:#e2e7ec;--track:#edf1f5;--accent:37,99,235;--on-accent:#fff;--good:#15803d;--bad:#c2410c;
--hold:#7c3aed;--rest:#94a3b8}
@media (prefers-color-scheme:dark){:root{--bg:#0e1217;--card:#171d24;--ink:#e7ecf2;
--muted:#9aa7b5;--line:#29323c;--track:#222a33;--accent:96,165,250;--on-accent:#0b1220;
--good:#4ade80;--bad:#fb923c;--hold:#a78bfa;--rest:#64748b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:32px 20px 40px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px}
h2{font-size:16px;margin:0 0 2px}
h3{font-size:15px;margin:0 0 2px;overflow-wrap:anywhere}
p{margin:0}
.sub,.note{color:var(--muted)}
.note{font-size:13px}
.grid{display:grid;gap:16px;margin-top:16px;grid-template-columns:minmax(0,1fr)}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;
min-width:0}
.pair{display:grid;gap:16px;margin-top:16px;grid-template-columns:repeat(2,minmax(0,1fr))}
.pair section:only-child{grid-column:1/-1}
.cards{display:grid;gap:16px;margin-top:24px;grid-template-columns:repeat(4,minmax(0,1fr))}
.big{font-size:30px;font-weight:650;line-height:1.25;letter-spacing:-.01em}
.stack{display:flex;height:18px;border-radius:9px;overflow:hidden;margin:14px 0 12px;gap:2px;
background:var(--card)}
.stack i{display:block;min-width:3px}
.legend{display:flex;flex-wrap:wrap;gap:4px 22px;margin:0;padding:0;list-style:none}
.dot{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px}
.completed{background:var(--good)}.interrupted{background:var(--bad)}
.in_process{background:rgb(var(--accent))}.operator{background:var(--hold)}
.other{background:var(--rest)}.not_started{background:var(--line)}
.bars{list-style:none;margin:12px 0 0;padding:0;display:grid;gap:9px}
.bars li{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:2px 12px}
.bars .name{overflow-wrap:anywhere}
.bars .count{color:var(--muted);white-space:nowrap}
.bars .count b{color:var(--ink);font-weight:600}
.track{grid-column:1/-1;display:flex;height:7px;border-radius:4px;background:var(--track);
overflow:hidden}
.track i{display:block;min-width:2px;background:rgb(var(--accent))}
.track i.stop{background:var(--bad)}
.bars .rest .track i{background:var(--rest)}
.bars .rest .name{color:var(--muted)}
.columns{display:flex;gap:3px;margin:14px 0 0;padding:0;list-style:none}
.columns li{flex:1 1 0;min-width:0;text-align:center}
.area{display:flex;flex-direction:column;justify-content:flex-end;height:168px;padding-top:18px}
.area i{display:block;flex:none;width:100%;max-width:84px;margin:0 auto;background:rgb(var(--accent));border-radius:3px 3px 0 0;
min-height:2px}
.area i.zero{background:var(--line)}
.top{font-size:12px;color:var(--muted);height:18px;line-height:18px;margin-top:-18px;
white-space:nowrap;display:flex;justify-content:center}
.label{font-size:12px;color:var(--muted);height:22px;line-height:22px;margin:0 -1.5px;
border-top:1px solid var(--line);white-space:nowrap;display:flex;justify-content:center}
.area i.partial{opacity:.45}
.heat{width:100%;border-collapse:separate;border-spacing:2px;table-layout:fixed;margin-top:14px}
.heat th{font-weight:400;font-size:12px;color:var(--muted);padding:0;text-align:center}
.heat th.day{width:34px;text-align:left}.heat th.sum,.heat td.sum{width:52px;text-align:right}
.heat td{height:26px;padding:0;border-radius:4px;text-align:center;font-size:11px;
background:var(--track)}
.heat td.sum{background:none;font-size:13px}
.heat td.hot{color:var(--on-accent)}
@media (prefers-color-scheme:dark){.heat td.warm{color:var(--on-accent)}}
.track i.done{background:var(--good)}
.change{margin-top:4px;color:var(--ink);font-weight:600}
.data{margin-top:10px;font-size:13px}.data summary{color:var(--muted);cursor:pointer;width:fit-content}
.data a{color:rgb(var(--accent))}
.rows{border-collapse:collapse;margin:8px 0;display:block;overflow-x:auto;max-height:320px}
.rows th{text-align:left;font-weight:600;padding:3px 12px 3px 0;white-space:nowrap}
.rows td{padding:3px 12px 3px 0;border-top:1px solid var(--line)}
.rows .number{text-align:right}
.question{padding:16px 0;border-top:1px solid var(--line);break-inside:avoid}
.question:first-of-type{border-top:0}
.facts{display:flex;flex-wrap:wrap;gap:2px 16px;color:var(--muted);font-size:13px}
.facts .stopped{color:var(--bad)}
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
color:var(--muted);overflow-wrap:anywhere}
footer{color:var(--muted);font-size:13px;margin-top:24px;max-width:75ch}
footer p+p{margin-top:6px}
@media screen and (max-width:860px){.pair{grid-template-columns:minmax(0,1fr)}
.cards{grid-template-columns:repeat(2,minmax(0,1fr))}.heat td:not(.sum){font-size:0}
.many .label span:not(.always){display:none}.many .top{visibility:hidden}}
@media screen and (max-width:480px){main{padding:20px 12px 28px}section{padding:14px}
.cards{gap:10px;margin-top:16px}.grid{gap:10px;margin-top:10px}h1{font-size:23px}
.big{font-size:23px}.heat{border-spacing:1px}.heat td{height:22px;border-radius:2px}
.heat th.hour span:not(.always){display:none}.heat th.day{width:24px}
.heat th.sum,.heat td.sum{width:40px;font-size:12px}
.columns{gap:1px}.area{height:130px}
.funnel li{grid-template-columns:minmax(0,1fr)}.funnel .count{white-space:normal}
.pair{margin-top:10px;gap:10px}}
@page{margin:12mm}
@media print{:root{--bg:#fff}body{font-size:11px;print-color-adjust:exact;
-webkit-print-color-adjust:exact}main{padding:0;max-width:none}section{padding:10px 14px;
break-inside:avoid}section.long{break-inside:auto}.data{display:none}
.grid,.pair{margin-top:10px;gap:10px}.grid{display:block}.grid>section{margin-bottom:10px}
.pair{break-inside:avoid}.cards{grid-template-columns:repeat(4,minmax(0,1fr));gap:10px}
h2,h3,.note,.facts:not(:last-child){break-after:avoid}.bars li,.question{break-inside:avoid}.big{font-size:22px}
.area{height:120px}.heat td{font-size:8px;height:20px}.heat th{font-size:9px}
.heat td.sum{font-size:10px}.top,.label{font-size:9px}}
"""
