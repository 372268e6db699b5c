#include "interface/console/audit_page.hpp"

namespace torchkiln::console {

// Colours by prefers-color-scheme; every pair of text and ground has a contrast of at least 4.5 (WCAG 2.1, 1.4.3),
// and signs and hatching tell outcomes apart without colour.
const std::string_view k_audit_style = R"css(
:root{color-scheme:light dark;--page:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--head:#f3f5f7;--link:#0550ae;
--d:#116329;--d-on:#d2f4da;--r:#0b5768;--r-on:#d3f0f5;--n:#8c1820;--n-on:#ffe0dd;--u:#6b4700;--u-on:#fff0c2;--mark:#0969da}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--text:#e6edf3;--soft:#9aa4af;--line:#3a424c;--head:#171d25;
--link:#79b8ff;--d:#8ae09c;--d-on:#12361f;--r:#84d9e8;--r-on:#0e343d;--n:#ffb3ad;--n-on:#551b1e;--u:#f2cf7a;--u-on:#46340a;
--mark:#58a6ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif}
header,section{padding:0 1.25rem}
h1{font-size:1.4rem;margin:1rem 0 .25rem}h2{font-size:1.15rem;margin:1.5rem 0 .5rem}
h3{font-size:1rem;font-weight:400;margin:1.5rem 0 .5rem;color:var(--soft)}h4{font-size:.95rem;margin:0 0 .25rem}
h4 i,th i{font-weight:400;font-style:normal;color:var(--soft)}
.lead{margin:.25rem 0 .75rem}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.35rem 1.5rem;margin:0 0 .75rem;padding:0}
.m,small{color:var(--soft);font-size:.85em}
kbd{font:inherit;font-weight:600;border:1px solid var(--line);border-radius:3px;padding:0 .25rem}
.b{display:inline-block;border-radius:4px;padding:0 .4rem;font-weight:600;white-space:nowrap}
.d{color:var(--d);background-color:var(--d-on)}.r{color:var(--r);background-color:var(--r-on)}
.n{color:var(--n);background-color:var(--n-on)}
.u{color:var(--u);background:repeating-linear-gradient(135deg,var(--u-on) 0 6px,var(--page) 6px 8px)}
.cut{border-left:4px solid var(--u);padding:.25rem .75rem;background:var(--u-on)}
form{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1.25rem;margin:0 0 .75rem}form[hidden]{display:none}
input[type=search]{font:inherit;color:inherit;background:var(--page);border:1px solid var(--soft);border-radius:4px;
padding:.15rem .4rem;width:14rem;max-width:100%}
.scroll{overflow:auto;max-height:80vh;margin:0 1.25rem;border:1px solid var(--line);width:fit-content;max-width:calc(100% - 2.5rem)}
:focus-visible{outline:2px solid var(--mark);outline-offset:-2px}
table{border-collapse:separate;border-spacing:0;font-size:.9rem}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{border-right:1px solid var(--line);border-bottom:1px solid var(--line);text-align:left;vertical-align:middle}
th{background:var(--head);padding:.35rem .6rem;font-weight:600}
thead th{position:sticky;top:0;z-index:2;vertical-align:bottom}
th[scope=row]{position:sticky;left:0;z-index:1;min-width:12rem;max-width:26rem;overflow-wrap:anywhere}
thead th:first-child{left:0;z-index:3}
th small{display:block;font-weight:400}
td a{display:block;padding:.35rem .6rem;color:inherit;text-decoration:none;white-space:nowrap}
td a:hover{text-decoration:underline}
.wordy thead th{max-width:18rem;overflow-wrap:anywhere}
.dense td{text-align:center}
.dense td a{padding:.3rem .25rem;min-width:2.6rem;font-size:.8rem;font-weight:600}
.dense thead th:not(:first-child){padding:.4rem 0}
.dense thead th span{display:block;margin:auto;writing-mode:vertical-rl;transform:rotate(180deg);max-height:15rem;
font-size:.8rem;line-height:1.2;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.dense th[scope=row]{padding:.25rem .5rem;line-height:1.25;width:19rem;min-width:19rem;max-width:19rem}
.dense th small{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
article{border:1px solid var(--line);border-radius:6px;padding:.6rem .9rem;margin:0 0 .6rem;max-width:60rem;overflow-wrap:anywhere}
article:target{outline:3px solid var(--mark);scroll-margin-top:1rem}
article ul{margin:.2rem 0;padding-left:1.2rem}article p{margin:.35rem 0}
code{font:.9em ui-monospace,monospace;background:var(--head);border-radius:3px;padding:.05rem .25rem}
small{overflow-wrap:anywhere}
#panel{position:fixed;right:1rem;bottom:1rem;z-index:9;max-width:min(36rem,calc(100% - 2rem));max-height:45vh;overflow:auto;
background:var(--page);border:1px solid var(--soft);border-radius:8px;padding:.6rem .9rem;
box-shadow:0 6px 24px rgba(0,0,0,.35);pointer-events:none}
#panel[hidden]{display:none}#panel ul{margin:.2rem 0;padding-left:1.2rem}#panel p{margin:.35rem 0}
@media print{.scroll{max-height:none;overflow:visible}#panel,form{display:none}}
)css";

const std::string_view k_audit_script = R"js(
(()=>{
const $=id=>document.getElementById(id),table=document.querySelector('table'),panel=$('panel');
const rows=[...table.tBodies[0].rows],heads=[...table.tHead.rows[0].cells];
const text=cell=>((cell.title||'')+' '+cell.textContent).toLowerCase();
const names=rows.map(r=>text(r.cells[0])),images=heads.map(text);
const apply=()=>{
 const h=$('fh').value.trim().toLowerCase(),i=$('fi').value.trim().toLowerCase();
 const shown=images.map((t,n)=>n===0||!i||t.includes(i));
 heads.forEach((c,n)=>{c.hidden=!shown[n]});
 rows.forEach((r,n)=>{
  let bad=false;
  for(let k=1;k<r.cells.length;k++){const c=r.cells[k];c.hidden=!shown[k];if(shown[k]&&/[nu]/.test(c.className))bad=true}
  r.hidden=(h&&!names[n].includes(h))||($('ff').checked&&!bad);
 });
};
$('filter').hidden=false;
$('filter').addEventListener('input',apply);
$('filter').addEventListener('submit',e=>e.preventDefault());
const show=e=>{
 const cell=e.target.closest('td');
 if(!cell){panel.hidden=true;return}
 const article=document.querySelector(cell.firstChild.getAttribute('href')),head=document.createElement('h4');
 head.textContent=cell.parentNode.cells[0].querySelector('b').textContent+' × '+heads[cell.cellIndex].textContent+': '
  +(cell.firstChild.getAttribute('aria-label')||cell.textContent);
 panel.replaceChildren(head,...[...article.children].slice(1).map(n=>n.cloneNode(true)));
 panel.hidden=false;
};
const hide=()=>{panel.hidden=true};
table.addEventListener('mouseover',show);table.addEventListener('mouseleave',hide);
table.addEventListener('focusin',show);table.addEventListener('focusout',hide);
document.addEventListener('keydown',e=>{if(e.key==='Escape')hide()});
apply();
})();
)js";

}  // namespace torchkiln::console
